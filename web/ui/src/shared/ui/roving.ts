// Which item of a group a key leads to. Pure.

/** The arrow keys that move: up and down, left and right, or all four. */
export type RovingKeys = 'vertical' | 'horizontal' | 'both'

/** The index that a key leads to from at, of count items; null when it is no key of the group. It stops at the ends. */
export function rovingTarget(key: string, at: number, count: number, keys: RovingKeys): number | null {
  if (count === 0) return null
  const back = (key === 'ArrowUp' && keys !== 'horizontal') || (key === 'ArrowLeft' && keys !== 'vertical')
  const forth = (key === 'ArrowDown' && keys !== 'horizontal') || (key === 'ArrowRight' && keys !== 'vertical')
  if (back) return Math.max(0, at - 1)
  if (forth) return Math.min(count - 1, at + 1)
  if (key === 'Home') return 0
  if (key === 'End') return count - 1
  return null
}
