import { styleText } from 'node:util'

type Style = (text: string) => string

/** Colours for one stream; each leaves the text as it is where the stream takes no colour. */
export interface Paint {
  readonly bold: Style
  readonly dim: Style
  readonly red: Style
  readonly green: Style
  readonly yellow: Style
  readonly cyan: Style
}

/** Makes the colours of a stream that takes them (`enabled`) or does not. */
export function createPaint(enabled: boolean): Paint {
  const style =
    (format: Parameters<typeof styleText>[0]): Style =>
    (text) =>
      enabled && text !== '' ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: style('bold'),
    dim: style('dim'),
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
    cyan: style('cyan'),
  }
}
