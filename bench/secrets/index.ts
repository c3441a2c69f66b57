/** What the secrets guard costs, what it catches, and how often it is wrong. */
import type { Question } from '../question.ts'
import { openSecrets } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, values: 50, credentials: 1, documents: 20 },
  small: { rounds: 7, warmUps: 2, values: 4_000, credentials: 5, documents: 2_000 },
  full: { rounds: 9, warmUps: 1, values: 20_000, credentials: 30, documents: 1_000_000 },
} as const

export const secrets: Question = {
  name: 'secrets',
  asks: 'How fast is the secrets guard, what share of credentials does it catch, and how often is it wrong?',
  figures: () => [
    { id: 'values.200', what: 'values of 200 B looked at', unit: '/s' },
    {
      id: 'values.2000',
      what: 'values of 2 kB looked at',
      unit: '/s',
      bars: [{ bound: 'at least', value: 5_000 }],
    },
    { id: 'values.20000', what: 'values of 20 kB looked at', unit: '/s' },
    { id: 'skill', what: 'skill of 1 MiB looked at: prose', unit: 'ms' },
    { id: 'skill.hostile', what: 'skill of 1 MiB looked at: beginnings of tokens, each on a line', unit: 'ms' },
    {
      id: 'caught',
      what: 'credentials caught, over all kinds and places',
      unit: '%',
      bars: [{ bound: 'at least', value: 95 }],
    },
    {
      id: 'alarms',
      what: 'documents of installed packages that raise an alarm',
      unit: '%',
      bars: [{ bound: 'at most', value: 0.5 }],
    },
  ],
  sizes: SIZES,
  open: (size) => openSecrets(SIZES[size]),
}
