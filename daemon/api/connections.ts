import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The connections of one server that wait for a request. */
export interface Connections {
  /** Cuts them all, those that never said anything included. */
  closeIdle(): void
}

/**
 * Most requests that are sent on one connection before the first of them is answered. Hardly anybody sends a second; but
 * a thousand fit into what is read at once, and each is held with its answer for as long as nobody reads those.
 */
const MAX_AHEAD = 16

/**
 * Caps a server's connections. Above the cap the connection that has waited longest without a request is cut, so that
 * thousands of idle ones cannot keep a healthy caller out; where all are being served, the new one is cut. So is one on
 * which far more is asked than is read. To be called before anything else listens for requests: of a connection that was
 * cut there may be more to come.
 *
 * @param onAnswered called when an answer is out, or its caller gone
 */
export function capConnections(
  server: Server,
  max: number,
  onAnswered: (response: ServerResponse) => void,
): Connections {
  // In order of when they fell idle: a Set keeps the order in which its members were added.
  const idle = new Set<Socket>()
  let open = 0

  server.on('connection', (socket: Socket) => {
    open++
    socket.once('close', () => {
      open--
      idle.delete(socket)
    })
    if (open > max) {
      const longest = idle.values().next().value ?? socket
      idle.delete(longest)
      longest.destroy()
      if (longest === socket) return
    }
    idle.add(socket)
  })

  const unanswered = new WeakMap<Socket, number>()
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const ahead = unanswered.get(socket) ?? 0
    if (ahead >= MAX_AHEAD) socket.destroy()
    if (socket.destroyed) return
    unanswered.set(socket, ahead + 1)
    idle.delete(socket)
    response.once('close', () => {
      const left = (unanswered.get(socket) ?? 1) - 1
      unanswered.set(socket, left)
      if (left === 0 && !socket.destroyed) idle.add(socket)
      onAnswered(response)
    })
  })

  return {
    closeIdle() {
      for (const socket of idle) socket.destroy()
    },
  }
}
