/** Builds what is published into dist/: plain JavaScript, for Node strips no types under node_modules. */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest: { bin: Record<string, string> } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

rmSync(`${root}dist`, { recursive: true, force: true })
try {
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
} catch {
  // tsc has said what is wrong.
  process.exit(1)
}
for (const path of Object.values(manifest.bin)) chmodSync(`${root}${path}`, 0o755)
