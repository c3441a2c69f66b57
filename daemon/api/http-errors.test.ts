import { describe, expect, test } from 'vitest'
import { CRDT_ERROR_CODES, MeshError } from '../../crdt/errors.ts'
import { TRANSPORT_ERROR_CODES } from '../../transports/errors.ts'
import { DAEMON_ERROR_CODES } from '../errors.ts'
import { describeError, STATUS_OF_CODE } from './http-errors.ts'

test.each([...CRDT_ERROR_CODES, ...TRANSPORT_ERROR_CODES, ...DAEMON_ERROR_CODES])('%s has a status', (code) => {
  expect(STATUS_OF_CODE[code]).toBeGreaterThanOrEqual(400)
})

describe('describeError', () => {
  test('an error of ours is told whole', () => {
    const error = new MeshError('KEY_INVALID', 'key: is empty', {
      field: 'key',
      hint: 'name it',
      cause: new Error('inside'),
    })
    expect(describeError(error)).toMatchObject({
      status: 400,
      answer: { error: 'key: is empty', code: 'KEY_INVALID', field: 'key', hint: 'name it' },
      unexpected: false,
    })
  })

  test('trouble of the node’s own is told and logged', () => {
    expect(describeError(new MeshError('STORAGE_FAILED', 'the disk is full'))).toMatchObject({
      status: 507,
      unexpected: true,
    })
    expect(describeError(new MeshError('SEARCH_UNAVAILABLE', 'q: no'))).toMatchObject({
      status: 422,
      unexpected: false,
    })
  })

  test('anything else is told without its insides', () => {
    for (const error of [
      new Error('inside'),
      'inside',
      undefined,
      new MeshError('NEVER_HEARD_OF', 'inside'),
      { code: 'KEY_INVALID' },
    ]) {
      const told = describeError(error)
      expect([told.status, told.answer.code, told.unexpected]).toEqual([500, 'INTERNAL', true])
      expect(JSON.stringify(told)).not.toContain('inside')
    }
  })
})
