import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The connections of one server that wait for a request. */
export interface Connections {
  /** Cuts them all, those that never said anything included. */
  closeIdle(): void
}

/**
 * Caps a server's connections. Above the cap the connection that has waited longest without a request is cut, so that
 * thousands of idle ones cannot keep a healthy caller out; where all are being served, the new one is cut.
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

  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
      onAnswered(response)
    })
  })

  return {
    closeIdle() {
      for (const socket of idle) socket.destroy()
    },
  }
}
