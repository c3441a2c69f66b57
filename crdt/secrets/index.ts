/**
 * The secrets guard: finds credentials in keys, values and skills, so that none enters or leaves a scope that others
 * read. Pure: no I/O, clock, randomness or logging; the same in a worker and in the main thread.
 */
export { createSecretsGuard } from './guard.ts'
export { secretRefused } from './refusal.ts'
export type * from './types.ts'
