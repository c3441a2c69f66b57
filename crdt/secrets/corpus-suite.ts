/**
 * Credentials as their providers' documentation describes them, made anew from a seed: nothing here was ever valid, and
 * none is what a rule was tried on. Written apart from the rules, so that a wrong length in one shows in the other.
 */

/** Random numbers from a seed: xorshift by Marsaglia, 32 bits. */
export interface Dice {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number
  /** So many characters of an alphabet. */
  text(alphabet: string, length: number): string
}

export function createDice(seed: number): Dice {
  let state = seed * 2_654_435_761 || 1
  const below = (limit: number) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
  return { below, text: (alphabet, length) => Array.from({ length }, () => alphabet[below(alphabet.length)]).join('') }
}

/** A credential, alone or with the name that it stands under. */
export interface Credential {
  readonly text: string
  readonly name?: string
}

export interface CredentialKind {
  /** The rule that is to find it. */
  readonly rule: string
  readonly kind: string
  make(dice: Dice): Credential
}

const DIGITS = '0123456789'
const HEX = `${DIGITS}abcdef`
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const LOWER = UPPER.toLowerCase()
const WORD = UPPER + LOWER + DIGITS
const URL64 = `${WORD}-_`
const B64 = `${WORD}+/`
const BASE32 = `${UPPER}234567`

type Make = (dice: Dice) => string
const of = (rule: string, kind: string, make: Make): CredentialKind => ({
  rule,
  kind,
  make: (dice) => ({ text: make(dice) }),
})
/** A prefix, and random characters behind it. */
const after = (rule: string, kind: string, prefix: string, alphabet: string, length: number, suffix = '') =>
  of(rule, kind, (dice) => prefix + dice.text(alphabet, length) + suffix)
const named = (rule: string, kind: string, name: string, make: Make): CredentialKind => ({
  rule,
  kind,
  make: (dice) => ({ name, text: make(dice) }),
})

const uuid: Make = (dice) => [8, 4, 4, 4, 12].map((length) => dice.text(HEX, length)).join('-')
const claims = (dice: Dice) =>
  Buffer.from(JSON.stringify({ sub: dice.text(DIGITS, 8), iat: 1_700_000_000, jti: dice.text(WORD, 12) }))
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const bytes = (dice: Dice, length: number) => Buffer.from(Array.from({ length }, () => dice.below(256)))

/** A PEM block of random bytes behind the bytes that keys of that kind begin with. */
const pem = (kind: string, label: string, begin: string, length: number) =>
  of('private-key', kind, (dice) => {
    const body = Buffer.concat([Buffer.from(begin, 'hex'), bytes(dice, length)]).toString('base64')
    return [`-----BEGIN ${label}-----`, ...(body.match(/.{1,64}/g) ?? []), `-----END ${label}-----`].join('\n')
  })
const PRIVATE = 'PRIVATE KEY'

export const CREDENTIAL_KINDS: readonly CredentialKind[] = [
  of('anthropic-key', 'Anthropic API key', (d) => `sk-ant-api03-${d.text(URL64, 93)}AA`),
  of('anthropic-key', 'Anthropic OAuth token', (d) => `sk-ant-oat01-${d.text(URL64, 93)}AA`),
  of('openai-key', 'OpenAI project key', (d) => `sk-proj-${d.text(URL64, 74)}T3BlbkFJ${d.text(URL64, 74)}`),
  of('openai-key', 'OpenAI service account key', (d) => `sk-svcacct-${d.text(URL64, 58)}T3BlbkFJ${d.text(URL64, 58)}`),
  of('sk-key', 'OpenAI key of the earlier form', (d) => `sk-${d.text(WORD, 20)}T3BlbkFJ${d.text(WORD, 20)}`),
  after('sk-key', 'DeepSeek key', 'sk-', HEX, 32),
  after('sk-key', 'OpenRouter key', 'sk-or-v1-', HEX, 64),
  after('elevenlabs-key', 'ElevenLabs key', 'sk_', HEX, 48),
  after('google-api-key', 'Google API key', 'AIza', URL64, 35),
  after('huggingface-token', 'Hugging Face token', 'hf_', UPPER + LOWER, 34),
  after('groq-key', 'Groq key', 'gsk_', WORD, 52),
  after('xai-key', 'xAI key', 'xai-', WORD, 80),
  after('perplexity-key', 'Perplexity key', 'pplx-', WORD, 48),
  after('replicate-token', 'Replicate token', 'r8_', WORD, 37),
  of('langsmith-key', 'LangSmith key', (d) => `lsv2_pt_${d.text(HEX, 32)}_${d.text(HEX, 10)}`),
  after('search-key', 'Tavily key', 'tvly-dev-', WORD, 32),
  after('search-key', 'Brave Search key', 'BSA', URL64, 28),
  after('github-token', 'GitHub classic token', 'ghp_', WORD, 36),
  of(
    'github-fine-grained-token',
    'GitHub fine-grained token',
    (d) => `github_pat_${d.text(WORD, 22)}_${d.text(WORD, 59)}`,
  ),
  after('github-app-token', 'GitHub OAuth token', 'gho_', WORD, 36),
  after('github-app-token', 'GitHub installation token', 'ghs_', WORD, 36),
  after('github-app-token', 'GitHub refresh token', 'ghr_', WORD, 76),
  after('gitlab-token', 'GitLab personal token', 'glpat-', URL64, 20),
  after('gitlab-token', 'GitLab runner token', 'glrt-', URL64, 20),
  of('bitbucket-token', 'Atlassian API token', (d) => `ATATT3${d.text(URL64, 177)}=${d.text(`${DIGITS}ABCDEF`, 8)}`),
  after('npm-token', 'npm token', 'npm_', WORD, 36),
  after('pypi-token', 'PyPI token', 'pypi-AgEIcHlwaS5vcmc', URL64, 160),
  after('rubygems-token', 'RubyGems key', 'rubygems_', HEX, 48),
  after('crates-token', 'crates.io token', 'cio', WORD, 32),
  after('docker-token', 'Docker Hub token', 'dckr_pat_', URL64, 27),
  of('terraform-token', 'HCP Terraform token', (d) => `${d.text(WORD, 14)}.atlasv1.${d.text(URL64, 67)}`),
  after('pulumi-token', 'Pulumi token', 'pul-', HEX, 40),
  after('ci-token', 'Buildkite token', 'bkua_', HEX, 40),
  after('sonar-token', 'SonarQube token', 'squ_', HEX, 40),
  of('postman-key', 'Postman key', (d) => `PMAK-${d.text(HEX, 24)}-${d.text(HEX, 34)}`),
  after('figma-token', 'Figma token', 'figd_', URL64, 40),
  after('aws-access-key-id', 'AWS access key id', 'AKIA', BASE32, 16),
  after('aws-access-key-id', 'AWS temporary key id', 'ASIA', BASE32, 16),
  after('aws-session-token', 'AWS session token', 'IQoJb3JpZ2luX2VjE', B64, 320),
  after('aws-bedrock-key', 'Amazon Bedrock key', 'ABSK', B64, 128),
  after('google-oauth-secret', 'Google OAuth client secret', 'GOCSPX-', URL64, 28),
  after('google-oauth-secret', 'Google OAuth access token', 'ya29.a0', URL64, 160),
  of(
    'azure-key',
    'Azure Storage connection string',
    (d) =>
      `DefaultEndpointsProtocol=https;AccountName=${d.text(LOWER, 9)};AccountKey=${d.text(B64, 86)}==;EndpointSuffix=core.windows.net`,
  ),
  of(
    'azure-client-secret',
    'Microsoft Entra client secret',
    (d) => `${d.text(WORD, 3)}8Q~${d.text(`${WORD}_~.-`, 33)}${d.text(WORD, 1)}`,
  ),
  of(
    'azure-sas',
    'Azure SAS URL',
    (d) =>
      `https://${d.text(LOWER, 9)}.blob.core.windows.net/c?sv=2024-11-04&se=2027-01-01&sr=c&sp=rl&sig=${d.text(WORD, 43)}%3D`,
  ),
  after('digitalocean-token', 'DigitalOcean token', 'dop_v1_', HEX, 64),
  after('cloudflare-token', 'Cloudflare user token', 'cfut_', WORD, 48),
  of('cloudflare-token', 'Cloudflare origin CA key', (d) => `v1.0-${d.text(HEX, 24)}-${d.text(HEX, 146)}`),
  after('heroku-token', 'Heroku token', 'HRKU-AA', URL64, 58),
  of('tailscale-key', 'Tailscale auth key', (d) => `tskey-auth-k${d.text(WORD, 11)}CNTRL-${d.text(WORD, 32)}`),
  after('vault-token', 'Vault service token', 'hvs.', URL64, 91),
  after('doppler-token', 'Doppler token', 'dp.pt.', WORD, 43),
  after('onepassword-token', '1Password service account', 'ops_eyJ', URL64, 300),
  after('databricks-token', 'Databricks token', 'dapi', HEX, 32),
  after('database-token', 'Supabase secret key', 'sb_secret_', URL64, 31),
  after('database-token', 'PlanetScale token', 'pscale_tkn_', URL64, 43),
  after('hosting-token', 'Netlify token', 'nfp_', WORD, 36),
  of('grafana-token', 'Grafana service account token', (d) => `glsa_${d.text(WORD, 32)}_${d.text(HEX, 8)}`),
  after('newrelic-key', 'New Relic user key', 'NRAK-', UPPER + DIGITS, 27),
  after('newrelic-key', 'New Relic licence key', '', HEX, 36, 'NRAL'),
  of('dynatrace-token', 'Dynatrace token', (d) => `dt0c01.${d.text(BASE32, 24)}.${d.text(BASE32, 64)}`),
  after('sentry-token', 'Sentry user token', 'sntryu_', HEX, 64),
  after('alibaba-key-id', 'Alibaba Cloud key id', 'LTAI', WORD, 20),
  of('slack-token', 'Slack bot token', (d) => `xoxb-${d.text(DIGITS, 12)}-${d.text(DIGITS, 13)}-${d.text(WORD, 24)}`),
  of(
    'slack-token',
    'Slack user token',
    (d) => `xoxp-${d.text(DIGITS, 12)}-${d.text(DIGITS, 12)}-${d.text(DIGITS, 13)}-${d.text(HEX, 32)}`,
  ),
  of(
    'slack-token',
    'Slack app token',
    (d) => `xapp-1-A${d.text(UPPER + DIGITS, 10)}-${d.text(DIGITS, 13)}-${d.text(HEX, 64)}`,
  ),
  of(
    'slack-webhook',
    'Slack webhook',
    (d) =>
      `https://hooks.slack.com/services/T${d.text(UPPER + DIGITS, 10)}/B${d.text(UPPER + DIGITS, 10)}/${d.text(WORD, 24)}`,
  ),
  of(
    'discord-bot-token',
    'Discord bot token',
    (d) => `${base64url(Buffer.from(`1${d.text(DIGITS, 17)}`))}.${d.text(URL64, 6)}.${d.text(URL64, 38)}`,
  ),
  of(
    'discord-bot-token',
    'Discord bot token of a later bot',
    (d) => `${base64url(Buffer.from(`1${d.text(DIGITS, 18)}`))}.${d.text(URL64, 6)}.${d.text(URL64, 38)}`,
  ),
  of(
    'discord-webhook',
    'Discord webhook',
    (d) => `https://discord.com/api/webhooks/1${d.text(DIGITS, 18)}/${d.text(URL64, 68)}`,
  ),
  of('telegram-bot-token', 'Telegram bot token', (d) => `${1 + d.below(9)}${d.text(DIGITS, 9)}:AA${d.text(URL64, 33)}`),
  of(
    'teams-webhook',
    'Microsoft Teams webhook',
    (d) =>
      `https://${d.text(LOWER, 8)}.webhook.office.com/webhookb2/${uuid(d)}@${uuid(d)}/IncomingWebhook/${d.text(HEX, 32)}/${uuid(d)}`,
  ),
  after('stripe-key', 'Stripe secret key', 'sk_live_51', WORD, 97),
  after('stripe-key', 'Stripe restricted key', 'rk_test_51', WORD, 97),
  after('webhook-secret', 'webhook signing secret', 'whsec_', B64, 32),
  after('twilio-key', 'Twilio API key', 'SK', HEX, 32),
  of('sendgrid-key', 'SendGrid key', (d) => `SG.${d.text(URL64, 22)}.${d.text(URL64, 43)}`),
  after('mailgun-key', 'Mailgun key', 'key-', HEX, 32),
  of('mail-key', 'Brevo key', (d) => `xkeysib-${d.text(HEX, 64)}-${d.text(WORD, 16)}`),
  of('mail-key', 'Resend key', (d) => `re_${d.text(WORD, 8)}_${d.text(WORD, 24)}`),
  of('mailchimp-key', 'Mailchimp key', (d) => `${d.text(HEX, 32)}-us${1 + d.below(21)}`),
  after('shopify-token', 'Shopify access token', 'shpat_', HEX, 32),
  after('square-token', 'Square access token', 'EAAA', URL64, 60),
  after('square-token', 'Square OAuth secret', 'sq0csp-', URL64, 43),
  after('linear-key', 'Linear key', 'lin_api_', WORD, 40),
  of('notion-token', 'Notion token', (d) => `ntn_${d.text(DIGITS, 11)}${d.text(WORD, 35)}`),
  after('notion-token', 'Notion token of the earlier form', 'secret_', WORD, 43),
  of('airtable-token', 'Airtable token', (d) => `pat${d.text(WORD, 14)}.${d.text(HEX, 64)}`),
  of(
    'mapbox-token',
    'Mapbox secret token',
    (d) =>
      `sk.${base64url(Buffer.from(JSON.stringify({ u: d.text(LOWER, 8), a: d.text(LOWER + DIGITS, 25) })))}.${d.text(URL64, 22)}`,
  ),
  pem('RSA private key', `RSA ${PRIVATE}`, '308204a40201000282010100', 1_180),
  pem('EC private key', `EC ${PRIVATE}`, '30770201010420', 114),
  pem('Ed25519 private key, PKCS #8', PRIVATE, '302e020100300506032b657004220420', 32),
  pem('encrypted private key', `ENCRYPTED ${PRIVATE}`, '30820', 600),
  pem(
    'OpenSSH private key',
    `OPENSSH ${PRIVATE}`,
    `${Buffer.from('openssh-key-v1\0').toString('hex')}000000046e6f6e65000000046e6f6e650000000000000001`,
    360,
  ),
  of('private-key-body', 'Ed25519 private key without a header', (d) =>
    Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes(d, 32)]).toString('base64'),
  ),
  of(
    'putty-key',
    'PuTTY private key',
    (d) =>
      `PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n${bytes(d, 36).toString('base64')}\nPrivate-MAC: ${d.text(HEX, 64)}`,
  ),
  after('age-key', 'age secret key', 'AGE-SECRET-KEY-1', '023456789ACDEFGHJKLMNPQRSTUVWXYZ', 58),
  of(
    'jwt',
    'JWT',
    (d) =>
      `${base64url(Buffer.from('{"alg":"HS256","typ":"JWT"}'))}.${base64url(claims(d))}.${base64url(bytes(d, 32))}`,
  ),
  of(
    'url-password',
    'URL of a repository with a password',
    (d) => `https://deploy:${d.text(WORD, 14)}@git.acme.io/app.git`,
  ),
  of(
    'url-password',
    'PostgreSQL URL',
    (d) => `postgres://app:${d.text(WORD, 16)}@db-${d.text(DIGITS, 2)}.acme.io:5432/app`,
  ),
  of(
    'url-password',
    'MongoDB URL',
    (d) => `mongodb+srv://app:${d.text(WORD, 12)}@cluster0.${d.text(LOWER + DIGITS, 5)}.mongodb.net/app`,
  ),
  of('url-password', 'Redis URL without a user', (d) => `redis://:${d.text(WORD, 20)}@cache.acme.io:6379/0`),
  of('mesh-api-key', 'openclaw-mesh API key', (d) => `mk_${d.text(BASE32.toLowerCase(), 8)}_${d.text(URL64, 43)}`),
  after('mesh-ticket', 'openclaw-mesh ticket', 'mesh-ticket-1.', URL64, 180),
  named('aws-secret-access-key', 'AWS secret access key', 'AWS_SECRET_ACCESS_KEY', (d) => d.text(B64, 40)),
  named('aws-secret-access-key', 'AWS secret access key in camel case', 'secretAccessKey', (d) => d.text(B64, 40)),
  named('azure-key', 'key of an Azure AI service', 'AZURE_OPENAI_API_KEY', (d) => d.text(HEX, 32)),
  named('cloudflare-key', 'Cloudflare token of the earlier form', 'CLOUDFLARE_API_TOKEN', (d) => d.text(URL64, 40)),
  named('heroku-key', 'Heroku key of the earlier form', 'HEROKU_API_KEY', uuid),
  named('twilio-auth-token', 'Twilio auth token', 'TWILIO_AUTH_TOKEN', (d) => d.text(HEX, 32)),
  named('mailgun-named-key', 'Mailgun key of the later form', 'MAILGUN_API_KEY', (d) =>
    [32, 8, 8].map((n) => d.text(HEX, n)).join('-'),
  ),
  named('datadog-key', 'Datadog API key', 'DD_API_KEY', (d) => d.text(HEX, 32)),
  named('discord-secret', 'Discord client secret', 'DISCORD_CLIENT_SECRET', (d) => d.text(URL64, 32)),
  named('npm-auth', 'npm credential of the earlier form', '//registry.npmjs.org/:_authToken', uuid),
  named('authorization-header', 'bearer token in a header', 'Authorization', (d) => `Bearer ${d.text(URL64, 40)}`),
  named(
    'authorization-header',
    'basic credentials in a header',
    'Authorization',
    (d) => `Basic ${Buffer.from(`app:${d.text(WORD, 16)}`).toString('base64')}`,
  ),
  named('password-field', 'password', 'password', (d) => d.text(WORD, 12)),
  named('password-field', 'password with signs', 'DB_PASSWORD', (d) => `${d.text(`${WORD}!#%*+-_.~^`, 18)}`),
  named('secret-field', 'API key', 'api_key', (d) => d.text(WORD, 32)),
  named('secret-field', 'client secret', 'clientSecret', (d) => d.text(URL64, 40)),
  named('secret-field', 'token', 'token', (d) => d.text(HEX, 40)),
  named('secret-field', 'gateway token', 'OPENCLAW_GATEWAY_TOKEN', (d) => d.text(HEX, 48)),
]
