/** Words of which one is in every name of a credential; upper and lower case alike. */
export const NAME_WORDS = [
  'password',
  'passwd',
  'passphrase',
  'passcode',
  'pwd',
  '_pass',
  '-pass',
  'pass=',
  'pass:',
  'pass"',
  'secret',
  'token',
  'credential',
  'authorization',
  'auth_header',
  '_auth',
  'apikey',
  'accesskey',
  'accountkey',
  'authkey',
  'privatekey',
  'signingkey',
  'encryptionkey',
  'masterkey',
  'sharedkey',
  'storagekey',
  'appkey',
  '_key',
  '-key',
] as const

const SECRET_WORD = /pass|pwd|secret|token|cred|auth|key|bearer/i

const ENDING =
  '(?:_(?:value|val|data|raw|plain|text|b64|base64|prod|production|dev|live|test|main|old|new|\\d{1,3})){0,2}$'
const PASSWORD = new RegExp(`(?:(?:pass_?word|passwd|pass_?phrase|passcode)|(?:^|_)(?:pwd|pass))s?\\d{0,3}${ENDING}`)
const KEYS =
  'api|app|application|access|secret|private|auth|signing|encryption|master|shared|account|storage|service|session|subscription|deploy|client|webhook|license|admin|bot|gateway'
const TOKEN = new RegExp(`(?:secret|(?:${KEYS})_?key|token|credential|(?:^|_)bearer)s?\\d{0,3}${ENDING}`)
/** Names that only end like those of credentials. */
const NO_CREDENTIAL =
  /(?:^|_)(?:public|next|prev|previous|page|paging|continuation|sync|resume|cursor|csrf|xsrf|cancel|cancellation|max|min|total|num|count|eos|bos|pad|unk|sep|cls|mask|design|color|id)_(?:page_)?(?:tokens?|key|secret)/

/** What kind of credential a name promises, given as {@link normalName} makes it. */
export function credentialKind(name: string): 'password' | 'token' | undefined {
  if (PASSWORD.test(name)) return 'password'
  return TOKEN.test(name) && !NO_CREDENTIAL.test(name) ? 'token' : undefined
}

/** Whether a name may be one that a rule asks for; quick, and right where it says no. */
export function mayBeCredential(name: string): boolean {
  return SECRET_WORD.test(name)
}

/** `heroku_api_key` for `HEROKU_API_KEY`, `heroku.apiKey` and `Heroku API-Key`. */
export function normalName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/_$/, '')
}
