/** The oldest Node that runs this package; `engines` in package.json says the same, and a test compares them. */
export const MINIMUM_NODE = '24.16'

/** Exit code of a program that was started on an older Node. */
export const EXIT_NODE_VERSION = 3

/** One line that tells why this Node will not do, or undefined where it will. `version` is like `v24.16.0`. */
export function nodeVersionFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  const [needMajor = 0, needMinor = 0] = MINIMUM_NODE.split('.').map(Number)
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return undefined
  return `openclaw-mesh needs Node ${MINIMUM_NODE} or later, this is ${version}: install a newer Node, or add it to the project with \`npm install node@24\``
}

/**
 * Ends the process with one line and {@link EXIT_NODE_VERSION} where its Node is too old. A program calls it first and
 * imports everything else dynamically after it: static imports are linked before the first line runs, and on an old
 * Node they end in a stack trace. For the same reason this module imports nothing and uses no recent syntax.
 */
export function requireNode(): void {
  const fault = nodeVersionFault(process.version)
  if (fault === undefined) return
  process.stderr.write(`${fault}\n`)
  process.exit(EXIT_NODE_VERSION)
}
