import { requireNode } from './node-version.ts'

requireNode()
const { run } = await import('./run.ts')
await run(process.argv.slice(2))
