import type { FileFindings } from './findings.ts'

/** Those who asked for a look at all files and wait for it: for one that begins after they asked, and what it leads to. */
export interface Checks {
  /** Resolves when a look was made, or after a while; rejects with what {@link end} is given. */
  wait(): Promise<void>
  /** Whether somebody waits for a look, or for one to be over. */
  readonly hurried: boolean
  lookBegins(): void
  lookEnds(): void
  /** What is found wrong by a look is tried again in a pass after it: then those are answered who `passBegins` gave. */
  passBegins(): readonly Check[]
  /** Answers everybody, or fails them. */
  end(error?: Error): void
}

export type Check = PromiseWithResolvers<void>

/** Said to who asked, until a look has come to its end. */
const CHECKING = {
  severity: 'info',
  message: 'there are too many files to look at all of them now: changes by others may not be said yet',
  path: '.',
} as const

/** @param maxMs how long anybody waits; then a finding says that the look goes on */
export function createChecks(findings: FileFindings, maxMs: number): Checks {
  const asked: Check[] = []
  const looking: Check[] = []
  const looked: Check[] = []

  function giveUp(check: Check): void {
    for (const waiting of [asked, looking, looked]) {
      if (waiting.includes(check)) waiting.splice(waiting.indexOf(check), 1)
    }
    findings.state('files.checking', CHECKING)
    check.resolve()
  }

  return {
    async wait() {
      const check = Promise.withResolvers<void>()
      asked.push(check)
      const timer = setTimeout(giveUp, maxMs, check)
      await check.promise.finally(() => clearTimeout(timer))
    },
    get hurried() {
      return asked.length + looking.length > 0
    },
    lookBegins: () => void looking.push(...asked.splice(0)),
    lookEnds() {
      looked.push(...looking.splice(0))
      findings.state('files.checking', undefined)
    },
    passBegins: () => looked.splice(0),
    end(error) {
      for (const check of [asked, looking, looked].flatMap((waiting) => waiting.splice(0))) {
        if (error === undefined) check.resolve()
        else check.reject(error)
      }
    },
  }
}
