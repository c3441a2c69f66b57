import { startChild } from '../child.ts'

/** Starts, as a process of its own, a Fastify server whose one route returns `constant`. */
export async function startBareFastify(constant: unknown): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const child = startChild<typeof import('./bare-fastify-main.ts').methods>(
    new URL('./bare-fastify-main.ts', import.meta.url),
  )
  try {
    return { url: await child.call('listen', constant), stop: child.stop }
  } catch (error) {
    await child.stop()
    throw error
  }
}
