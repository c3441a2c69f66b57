/** Work in a process of its own, called like functions of this one. */
import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

// biome-ignore lint/suspicious/noExplicitAny: what a method takes is known where it is called
type Methods = Readonly<Record<string, (...args: any[]) => Promise<unknown>>>

interface Call {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

interface Reply {
  readonly id: number
  readonly result?: unknown
  /** Stack of what it threw. */
  readonly error?: string
}

export interface Child<M extends Methods> {
  /** Calls a method there; arguments and result are copied. @throws Error when it throws, or the process ends */
  call<N extends keyof M & string>(method: N, ...args: Parameters<M[N]>): Promise<Awaited<ReturnType<M[N]>>>
  /** Ends the process at once. */
  stop(): Promise<void>
}

/** Where a program that is named by its source lies for whoever runs the bench as it is: from source, or built. */
export function programPath(source: URL): string {
  return fileURLToPath(source).replace(/\.ts$/, extname(import.meta.url))
}

/**
 * Starts a program that calls {@link serveParent}.
 * @param program its source
 * @param options of Node itself
 */
export function startChild<M extends Methods>(program: URL, options: readonly string[] = []): Child<M> {
  const execArgv = [...process.execArgv, ...options]
  const child = fork(programPath(program), { serialization: 'advanced', execArgv })
  const { call, ended } = callsOf<M>(child, `the process of ${program.pathname}`)
  const stop = () => {
    child.kill('SIGKILL')
    return ended
  }
  return { call, stop }
}

/**
 * Calls into a process that has a channel to this one and calls {@link serveParent}; `ended` resolves when it has ended.
 * @param name for messages
 */
export function callsOf<M extends Methods>(
  child: ChildProcess,
  name: string,
): Pick<Child<M>, 'call'> & { readonly ended: Promise<void> } {
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  let calls = 0
  child.on('message', ({ id, result, error }: Reply) => {
    const call = open.get(id)
    open.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(error))
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void ended.then(() => {
    for (const call of open.values()) call.reject(new Error(`${name} has ended`))
  })
  return {
    ended,
    call(method, ...args) {
      const call = Promise.withResolvers<unknown>()
      const id = calls++
      open.set(id, call)
      child.send({ id, method, args } satisfies Call)
      return call.promise as ReturnType<Child<M>['call']> as never
    },
  }
}

/** In the program: answers the parent's calls, and ends when the parent is gone. */
export function serveParent(methods: Methods): void {
  process.on('message', ({ id, method, args }: Call) => {
    const reply = (answer: Reply) => process.send?.(answer)
    const called = methods[method]?.(...args) ?? Promise.reject(new Error(`no method ${method}`))
    called.then(
      (result) => reply({ id, result }),
      (error: unknown) => reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}
