import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { ApiError } from '../daemon/api/client.ts'
import { usageError } from './errors.ts'
import { EXIT, EXIT_CODE_TEXTS } from './exit-codes.ts'
import { failureOf } from './failure.ts'

test('exit codes are stable: scripts match on them', () => {
  expect(EXIT).toEqual({
    ok: 0,
    failure: 1,
    usage: 2,
    nodeVersion: 3,
    notRunning: 4,
    notFound: 5,
    refused: 6,
    auth: 7,
    incomplete: 8,
    storage: 9,
    unreachable: 10,
    interrupted: 130,
  })
  expect(EXIT_CODE_TEXTS.map(([code]) => code)).toEqual(Object.values(EXIT))
})

test.each([
  ['DAEMON_NOT_RUNNING', 0, EXIT.notRunning],
  ['DAEMON_FORBIDDEN', 0, EXIT.auth],
  ['NOT_FOUND', 404, EXIT.notFound],
  ['PEER_UNKNOWN', 404, EXIT.notFound],
  ['VALUE_INVALID', 400, EXIT.refused],
  ['VALUE_TOO_LARGE', 413, EXIT.refused],
  ['TICKET_USED', 410, EXIT.refused],
  ['HAS_PEERS', 200, EXIT.refused],
  ['PEER_UNREACHABLE', 200, EXIT.unreachable],
  ['UNAUTHORIZED', 401, EXIT.auth],
  ['HOST_REFUSED', 403, EXIT.auth],
  ['STORAGE_FAILED', 507, EXIT.storage],
  ['DATABASE_LOCKED', 503, EXIT.storage],
  ['STOPPING', 503, EXIT.notRunning],
  ['INTERNAL', 500, EXIT.failure],
  ['TIMED_OUT', 0, EXIT.failure],
  ['A_LATER_CODE', 422, EXIT.refused],
])('the daemon says %s (%i): exit code %i', (code, status, exit) => {
  const failure = failureOf(new ApiError(code, 'why', { status, field: 'value.x', hint: 'do y' }))
  expect(failure).toEqual({ exit, type: code, message: 'why', field: 'value.x', hint: 'do y' })
})

test('wrong use', () => {
  expect(failureOf(usageError('VALUE', 'VALUE is missing', 'try x'))).toEqual({
    exit: EXIT.usage,
    type: 'USAGE',
    message: 'VALUE is missing',
    field: 'VALUE',
    hint: 'try x',
  })
  const parser = new CommanderError(1, 'commander.unknownCommand', "error: unknown command 'pit'\n(Did you mean put?)")
  expect(failureOf(parser)).toEqual({
    exit: EXIT.usage,
    type: 'USAGE',
    message: "unknown command 'pit'",
    hint: 'Did you mean put?',
  })
})

test('a fault of ours brings its stack along', () => {
  expect(failureOf(new TypeError('x'))).toMatchObject({
    exit: EXIT.failure,
    type: 'INTERNAL',
    stack: expect.any(String),
  })
})
