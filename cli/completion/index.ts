/** What a shell asks when the user presses Tab: its script, where on the line the cursor stands, and what fits there. */
export { readBashLine } from './bash-line.ts'
export { type Candidates, findCandidates } from './candidates.ts'
export { COMPLETION_SCRIPTS } from './scripts.ts'
