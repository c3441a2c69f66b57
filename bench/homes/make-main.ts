import { serveParent } from '../child.ts'
import { makeHomes } from './make.ts'

/** In a process of its own: what filling a home takes of memory ends with it. */
export const methods = { make: makeHomes }

serveParent(methods)
