/**
 * What the process answers to its caller. Scripts match on these numbers: one is never reused for another meaning.
 * `mesh help exit-codes` prints the list.
 */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** Given by the guard that runs before anything else is loaded. */
  nodeVersion: 3,
  notRunning: 4,
  notFound: 5,
  refused: 6,
  auth: 7,
  incomplete: 8,
  storage: 9,
  unreachable: 10,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** One line a code, in order of number, for help and docs. */
export const EXIT_CODE_TEXTS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failure, 'failed, for a reason that no other code names; `doctor` found an error'],
  [EXIT.usage, 'wrong use: unknown command or option, missing argument, no consent; bad configuration'],
  [EXIT.nodeVersion, 'this Node.js is too old'],
  [EXIT.notRunning, 'no daemon answers'],
  [EXIT.notFound, 'no such entry, skill, peer or file'],
  [EXIT.refused, 'refused: malformed or too large input, or against the state of the mesh'],
  [EXIT.auth, 'the token is missing or wrong, or this call is not allowed with it'],
  [EXIT.incomplete, '`sync` could not prove every peer equal'],
  [EXIT.storage, 'the home, the disk or the database does not take writes, or is damaged'],
  [EXIT.unreachable, 'the other machine could not be reached'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)'],
]
