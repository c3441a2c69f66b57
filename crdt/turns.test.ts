import { setImmediate as immediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nextTurn } from './turns.ts'

test('those who wait for a turn get one each, in the order in which they came', async () => {
  let turn = 0
  const got: [name: string, turn: number][] = []
  const work = async (name: string) => {
    for (let piece = 0; piece < 3; piece++) {
      await nextTurn()
      got.push([name, turn])
    }
  }
  const works = ['a', 'b', 'c'].map(work)
  for (; got.length < 9 && turn < 100; turn++) await immediate()
  await Promise.all(works)
  expect(got.map(([name]) => name).join('')).toBe('abcabcabc')
  expect(new Set(got.map(([, at]) => at)).size).toBe(9)
})

test('one who is alone waits for no more than a turn', async () => {
  let turns = 0
  const counting = (async () => {
    for (; turns < 1_000; turns++) await immediate()
  })()
  for (let piece = 0; piece < 100; piece++) await nextTurn()
  expect(turns).toBeLessThanOrEqual(102)
  await counting
})
