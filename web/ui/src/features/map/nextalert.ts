// Which alert comes next for somebody who handles them one after another. Pure.

/**
 * The id after current among ids, in their order and from the top again; null when there is none other. Without a
 * current one it is the first.
 */
export function nextOf(ids: number[], current: number | null): number | null {
  if (!ids.length) return null
  const at = current === null ? -1 : ids.indexOf(current)
  const next = ids[(at + 1) % ids.length]!
  return next === current ? null : next
}
