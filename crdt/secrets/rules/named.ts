import type { NamedRule } from './rule.ts'

const UUID = '[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}'

/** Credentials without a form of their own that providers hand out under known names. */
export const NAMED_RULES: readonly NamedRule[] = [
  {
    id: 'aws-secret-access-key',
    name: 'AWS secret access key',
    source: 'AWS IAM, access keys: 40 characters of base64',
    names: /aws_|secret_?access_?key|(?:^|_)s3_/,
    value: /[A-Za-z0-9/+]{40}/,
    minEntropy: 4,
  },
  {
    id: 'azure-key',
    name: 'Azure key',
    source:
      'Microsoft Azure: storage keys of 64 bytes, shared access keys of 32, keys of AI services of 32 digits or 84 characters',
    names: /azure|account_?key|storage_?key|shared_?access_?key|cosmos|ocp_apim|cognitive/,
    value: /[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=|[0-9a-f]{32}|[A-Za-z0-9]{84}/,
  },
  {
    id: 'cloudflare-key',
    name: 'Cloudflare API key or token of the earlier form',
    source: 'Cloudflare, API authentication',
    names: /cloudflare|(?:^|_)cf_/,
    value: /[A-Za-z0-9_-]{40}|[0-9a-f]{37}/,
  },
  {
    id: 'heroku-key',
    name: 'Heroku API key of the earlier form',
    source: 'Heroku, platform API: authentication',
    names: /heroku/,
    value: new RegExp(UUID),
  },
  {
    id: 'twilio-auth-token',
    name: 'Twilio auth token',
    source: 'Twilio, auth tokens',
    names: /twilio/,
    value: /[0-9a-f]{32}/,
  },
  {
    id: 'mailgun-named-key',
    name: 'Mailgun key of the later form',
    source: 'Mailgun, API keys',
    names: /mailgun/,
    value: /[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}|[0-9a-f]{32}/,
  },
  {
    id: 'datadog-key',
    name: 'Datadog API or application key',
    source: 'Datadog, API and application keys',
    names: /datadog|(?:^|_)dd_/,
    value: /[0-9a-f]{32}|[0-9a-f]{40}/,
  },
  {
    id: 'discord-secret',
    name: 'Discord client secret',
    source: 'Discord, OAuth2',
    names: /discord/,
    value: /[A-Za-z0-9_-]{32}/,
    minEntropy: 3.5,
  },
  {
    id: 'npm-auth',
    name: 'npm registry credential of the earlier form',
    source: 'npm, npmrc: _auth and _authToken',
    names: /npm|(?:^|_)auth_token|(?:^|_)_?auth$/,
    value: new RegExp(`${UUID}|[A-Za-z0-9+/]{20,200}={0,2}`),
    minEntropy: 3.2,
  },
  {
    id: 'authorization-header',
    name: 'Authorization header with credentials',
    source: 'RFC 9110, section 11.6.2; RFC 6750; RFC 7617',
    names: /(?:^|_)(?:authorization|auth_header)$/,
    value: /(?:Bearer|Basic|Token|token|bearer|basic|Bot|ApiKey) {1,4}[A-Za-z0-9_.~+/=-]{20,4000}/,
    minEntropy: 3.5,
  },
]

/** What is told of a value that only its name makes suspect. */
export const FIELD_RULES = {
  password: { id: 'password-field', name: 'password under a name that says so' },
  token: { id: 'secret-field', name: 'token, key or secret under a name that says so' },
} as const
