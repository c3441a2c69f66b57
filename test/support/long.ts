/**
 * Whether tests run at full size (`npm run test:long`): `*.long.test.ts` as well, and every seed, kill and case of
 * which `npm test` takes a sample: `const SEEDS = LONG ? 1_000 : 50`.
 */
export const LONG = process.env['LONG'] === '1'
