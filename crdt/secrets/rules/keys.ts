import type { TokenRule } from './rule.ts'

/** Keys and forms that belong to no one service, and this product's own. */
export const KEY_RULES: readonly TokenRule[] = [
  {
    id: 'private-key',
    name: 'private key (PEM, OpenSSH or OpenPGP)',
    source: 'RFC 7468; OpenSSH, PROTOCOL.key; RFC 9580',
    starts: ['-----BEGIN '],
    // What stands between is headers of encrypted keys; a header without 40 characters of key is talk about keys.
    end: 'open',
    mayRepeat: true,
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----\s{0,8}(?:Proc-Type: ?4,ENCRYPTED\s{0,4}DEK-Info: ?[A-Z0-9-]{3,20},[0-9A-F]{16,32}\s{0,4})?(?:(?:Version|Comment): [\x20-\x7e]{0,60}?\s{0,4})?([A-Za-z0-9+/]{40,200})/,
    glued: true,
  },
  {
    id: 'private-key-body',
    name: 'private key without its header (PKCS #8 or OpenSSH, base64)',
    source: 'RFC 5208 and RFC 8410, in DER; OpenSSH, PROTOCOL.key: "openssh-key-v1"',
    starts: [
      'MC4CAQAwBQYDK2V',
      'IBADANBgkqhkiG9w0BAQEFAASC',
      'b3BlbnNzaC1rZXktdjEA',
      'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg',
    ],
    end: 'open',
    mayRepeat: true,
    pattern:
      /(?:MC4CAQAwBQYDK2V[A-Za-z0-9]BCIEI|IBADANBgkqhkiG9w0BAQEFAASC|b3BlbnNzaC1rZXktdjEA|MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg)([A-Za-z0-9+/]{40,200})/,
    glued: true,
  },
  {
    id: 'putty-key',
    name: 'private key of PuTTY',
    source: 'PuTTY, PPK file format',
    starts: ['Private-Lines: '],
    end: 'open',
    mayRepeat: true,
    pattern: /Private-Lines: \d{1,2}\s{0,8}([A-Za-z0-9+/]{40,200})/,
    glued: true,
  },
  {
    id: 'age-key',
    name: 'age secret key',
    source: 'age, specification: identities, Bech32',
    starts: ['AGE-SECRET-KEY-'],
    end: 'open',
    pattern: /AGE-SECRET-KEY-(?:PQ-)?1([02-9AC-HJ-NP-Z]{58,200})/,
  },
  {
    id: 'jwt',
    name: 'JSON Web Token',
    source: 'RFC 7519: two parts of base64url that begin with {"',
    starts: ['eyJ'],
    end: 'open',
    pattern: /eyJ[A-Za-z0-9_-]{12,400}\.eyJ([A-Za-z0-9_-]{20,120})/,
  },
  {
    id: 'url-password',
    name: 'URL with a password',
    source: 'RFC 3986, section 3.2.1: userinfo',
    starts: ['://'],
    end: 'open',
    minEntropy: 2.5,
    // The user once more, words for a password, variables.
    except:
      /:\/\/(?:([^:]*):\1|[^:]*:(?:(?:my|your|the|db|user|some|super|auth)?[-_]?(?:pass(?:word|wd|phrase)?|pwd?|secret|token)\d{0,3}|[%$].*|\W+))@.$/i,
    pattern:
      /(?<=[A-Za-z0-9+]{2}):\/\/[^\s:/@"'`<>\\]{0,100}:([^\s/@"'`<>\\]{3,200})@(?!(?:www\.)?example\.)[A-Za-z0-9[]/,
    glued: true,
  },
  {
    id: 'mesh-api-key',
    name: 'openclaw-mesh API key',
    source: 'openclaw-mesh, docs/api.md',
    starts: ['mk_'],
    end: 'strict',
    pattern: /mk_[a-z2-7]{8}_([A-Za-z0-9_-]{43})/,
  },
  {
    id: 'mesh-ticket',
    name: 'openclaw-mesh join ticket',
    source: 'openclaw-mesh, docs/formats.md',
    starts: ['mesh-ticket-'],
    end: 'open',
    pattern: /mesh-ticket-\d{1,2}\.([A-Za-z0-9_-]{60,400})/,
  },
]
