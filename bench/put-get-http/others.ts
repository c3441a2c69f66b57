import { startChild } from '../child.ts'
import { temporaryFolder } from '../folder.ts'

/** Another server to compare with, as a process of its own. */
export interface OtherServer {
  /** `http://127.0.0.1:…` */
  readonly url: string
  stop(): Promise<void>
}

/** Starts a Fastify server whose one route returns `constant`. */
export function startBareFastify(constant: unknown): Promise<OtherServer> {
  const child = startChild<typeof import('./bare-fastify-main.ts').methods>(
    new URL('./bare-fastify-main.ts', import.meta.url),
  )
  return listening(child.call('listen', constant), child.stop)
}

/** Starts a server of puts and gets over `node:sqlite` and `node:http`. */
export async function startPlainSqlite(): Promise<OtherServer> {
  const folder = await temporaryFolder()
  const child = startChild<typeof import('./plain-sqlite-main.ts').methods>(
    new URL('./plain-sqlite-main.ts', import.meta.url),
  )
  const stop = async () => {
    await child.stop()
    await folder.remove()
  }
  return listening(child.call('listen', folder.path), stop)
}

async function listening(url: Promise<string>, stop: OtherServer['stop']): Promise<OtherServer> {
  try {
    return { url: await url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
