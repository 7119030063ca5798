// Which part of the map nothing covers: panels and cards lie over it.

/** CSS pixels from the map's top left. */
export interface Box {
  left: number
  top: number
  right: number
  bottom: number
}

const leastSide = 96 // a narrower strip shows nothing

const hits = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
const cuts = (ends: number[], most: number) => [...new Set([0, most, ...ends.filter((n) => n > 0 && n < most)])].sort((a, b) => a - b)

/** The largest rectangle of a map of this size that no cover lies over; the whole map when none is wide enough. */
export function freeBox(width: number, height: number, covers: readonly Box[]): Box {
  const xs = cuts(covers.flatMap((c) => [c.left, c.right]), width)
  const ys = cuts(covers.flatMap((c) => [c.top, c.bottom]), height)
  let best: Box | null = null
  let area = 0
  for (let i = 0; i < xs.length; i++) {
    for (let j = i + 1; j < xs.length; j++) {
      for (let k = 0; k < ys.length; k++) {
        for (let l = k + 1; l < ys.length; l++) {
          const box = { left: xs[i]!, right: xs[j]!, top: ys[k]!, bottom: ys[l]! }
          const w = box.right - box.left
          const h = box.bottom - box.top
          if (Math.min(w, h) < leastSide || w * h <= area || covers.some((c) => hits(c, box))) continue
          best = box
          area = w * h
        }
      }
    }
  }
  return best ?? { left: 0, top: 0, right: width, bottom: height }
}

/**
 * How far a point must move, CSS pixels, so that no cover lies within `air` of it: [0, 0] where none does. It
 * moves into the free box by the shortest way, and a little further in where there is room.
 */
export function wayOut(at: { x: number; y: number }, width: number, height: number, covers: readonly Box[], air = 28): [number, number] {
  const around = { left: at.x - air, right: at.x + air, top: at.y - air, bottom: at.y + air }
  if (!covers.some((c) => hits(c, around))) return [0, 0]
  const free = freeBox(width, height, covers)
  const into = (v: number, from: number, to: number) => {
    const margin = Math.min(air + 20, (to - from) / 2)
    return Math.min(to - margin, Math.max(from + margin, v)) - v
  }
  return [into(at.x, free.left, free.right), into(at.y, free.top, free.bottom)]
}
