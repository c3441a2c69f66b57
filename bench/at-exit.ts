/** What must not stay behind when this process ends early; many at once, so one listener for all. */
const tasks = new Set<() => void>()

process.prependOnceListener('exit', () => {
  // The last begun first: a process goes before its folder.
  for (const task of [...tasks].reverse()) task()
})

/** Does `task`, which must not wait, when this process exits. Returns the way to call it off. */
export function atExit(task: () => void): () => void {
  tasks.add(task)
  return () => tasks.delete(task)
}
