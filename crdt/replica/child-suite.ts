/** Processes that are killed. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const PROGRAM = fileURLToPath(new URL('./writer-child-suite.ts', import.meta.url))

export interface Victim {
  /** What it said so far, line by line, as JSON. */
  readonly lines: readonly unknown[]
  /** Resolves when it has said so many lines, or has ended. */
  said(lines: number): Promise<void>
  /** Kills it, and resolves when it is gone and all that it said is here. */
  kill(): Promise<void>
}

/** Starts `writer-child-suite.ts`. */
export function startVictim(path: string, mode: 'hold' | 'write' | 'adopt', argument = ''): Victim {
  const child = spawn(process.execPath, [PROGRAM, path, mode, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: unknown[] = []
  let onLine = () => {}
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    // The last one may be torn.
    if (line.endsWith('}') || line.endsWith('"')) lines.push(JSON.parse(line))
    onLine()
  })
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')])
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  const said = (wanted: number) =>
    Promise.race([
      ended.then(() => {}),
      new Promise<void>((resolve) => {
        onLine = () => lines.length >= wanted && resolve()
        onLine()
      }),
    ])
  return { lines, said, kill }
}
