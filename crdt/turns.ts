/** Who waits for a turn of the event loop, in the order in which they came. */
const waiting: (() => void)[] = []

/**
 * Resolves in a turn of the event loop that no other caller gets. For whoever has much to do and does it in pieces of a
 * few milliseconds: where several did so side by side, each with a turn of Node's own (`setImmediate`), all their pieces
 * fell into the same turn, and a request that came meanwhile waited for their sum.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(serve)
  })
}

function serve(): void {
  const first = waiting.shift()
  if (waiting.length > 0) setImmediate(serve)
  first?.()
}
