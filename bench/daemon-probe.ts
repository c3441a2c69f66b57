import { isMainThread } from 'node:worker_threads'
import { serveParent } from './child.ts'
import { Vitals } from './vitals.ts'

const vitals = new Vitals()

/** What the bench asks of a daemon's process. */
export const methods = {
  watch: () => vitals.begin(),
  watched: () => vitals.end(),
}

// The daemon's workers load this too.
if (isMainThread) {
  serveParent(methods)
  // The daemon ends as if nobody had asked it anything.
  process.channel?.unref()
}
