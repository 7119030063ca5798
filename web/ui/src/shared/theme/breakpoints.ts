// The widths at which a page changes its layout, for styles and scripts. A style writes `@media (--narrow)`: the build puts
// the condition in (vite.config.ts), because CSS has no variables in media queries.

/** Pages double their size from here: a wall of 4K. */
export const wall4kWidth = 3200
/** Pages grow by a half from here. */
export const wallWidth = 2400

export const media = {
  /** A phone, or a narrow window: one column. */
  narrow: '(max-width: 760px)',
  /** A small desk: the header has no room for words. */
  compact: '(max-width: 1500px)',
  wall: `(min-width: ${wallWidth}px)`,
  'wall-4k': `(min-width: ${wall4kWidth}px)`,
} as const

/** A style with each `(--name)` of a media query replaced by its condition. It throws on a name that there is not. */
export function withMedia(css: string): string {
  return css.replace(/(@media[^{]*?)\(--([\w-]+)\)/g, (_, before: string, name: string) => {
    if (!(name in media)) throw new Error(`no breakpoint is named --${name}`)
    return before + media[name as keyof typeof media]
  })
}
