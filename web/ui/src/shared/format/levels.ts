import type { Level } from '@/shared/api/types'

/** The levels as the page lists them, worst first. */
export const levels: readonly Level[] = [1, 2, 3, 4]

/** Orders levels worst first; 0, "none", comes last. */
export function rank(level: number): number {
  return level === 0 ? 9 : level
}

/** The worst of the levels, 0 of none. */
export function worst(all: Iterable<number>): Level {
  let best = 9
  for (const level of all) best = Math.min(best, rank(level))
  return (best === 9 ? 0 : best) as Level
}
