import { expect, test } from 'vitest'
import { createProgressLine, describeProgress } from './progress.ts'

function line(enabled: boolean) {
  const written: string[] = []
  let now = 0
  const progress = createProgressLine({
    write: (text) => written.push(text),
    enabled,
    width: () => 20,
    clock: () => now,
  })
  return { progress, written, tick: (ms: number) => (now += ms) }
}

test('where nobody watches nothing is written', () => {
  const { progress, written } = line(false)
  progress.show({ phase: 'dial', done: 0 })
  progress.clear()
  expect(written).toEqual([])
})

test('redraws are bounded, a new phase shows at once, and the line is wiped once', () => {
  const { progress, written, tick } = line(true)
  progress.show({ phase: 'dial', done: 0 })
  progress.show({ phase: 'dial', done: 1 })
  progress.show({ phase: 'send', done: 1 })
  tick(100)
  progress.show({ phase: 'send', done: 2, total: 4 })
  progress.clear()
  progress.clear()
  expect(written).toEqual(['dial', 'send 1', 'send 2 of 4', ''].map((text) => `\r\u001b[2K${text}`))
})

test('a line never wraps, and foreign names are escaped', () => {
  const { progress, written } = line(true)
  progress.show({ phase: 'reconcile', peer: 'x'.repeat(50), done: 0 })
  expect(written[0]).toBe(`\r\u001b[2Kreconcile ${'x'.repeat(8)}…`)
  expect(describeProgress({ phase: 'dial', peer: 'a\u001b[2J', done: 0 })).toBe('dial a\\u001b[2J')
})
