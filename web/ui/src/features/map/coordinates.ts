// Reads coordinates as people type and paste them. Pure.
//
// Supported: decimal degrees; degrees, minutes and seconds with ° ′ ″, 度分秒, colons or spaces; hemispheres as letters
// or words, before or after (N, E, 北纬, 东经); labels (lon, lat, 经度, 纬度); either order; full-width characters;
// decimal commas where they can be nothing else; brackets. Coordinates are WGS 84 or CGCS2000, which agree to a metre.

import type { LonLat } from '@/shared/geo/geo'

type Axis = 'lon' | 'lat'
type Unit = 0 | 1 | 2 // degrees, minutes, seconds
interface Num {
  value: number
  negative: boolean
  /** It has a fraction. */
  fraction: boolean
  unit: Unit | null
  /** Hemispheres and labels that stand directly before and after it. */
  before: Mark | null
  after: Mark | null
  /** What parts it from the number before. */
  gap: 'none' | 'colon' | 'separator'
}
interface Mark {
  axis: Axis
  /** -1 for W and S; null for a label, which says no hemisphere. */
  sign: 1 | -1 | null
}
interface Angle {
  degrees: number
  axis: Axis | null
}

const marks: Record<string, Mark> = {
  E: { axis: 'lon', sign: 1 },
  W: { axis: 'lon', sign: -1 },
  N: { axis: 'lat', sign: 1 },
  S: { axis: 'lat', sign: -1 },
  X: { axis: 'lon', sign: null },
  Y: { axis: 'lat', sign: null },
}

/** One way of writing each sign. Seconds before minutes, since two minute signs are a second. */
function plain(text: string): string {
  return text
    .replace(/[º˚]/g, '°')
    .replace(/["']?(?:longitude|long|lon|lng|经度)["']?\s*[:：=]?/gi, ' X ')
    .replace(/["']?(?:latitude|lat|纬度)["']?\s*[:：=]?/gi, ' Y ')
    .replace(/东经/g, ' E ').replace(/西经/g, ' W ').replace(/北纬/g, ' N ').replace(/南纬/g, ' S ')
    .replace(/度/g, '°').replace(/分/g, '′').replace(/秒/g, '″')
    .replace(/[″”“"＂]|['’‘′＇]{2}/g, '\uE002')
    .replace(/[’‘'′＇]/g, '\uE001')
    .normalize('NFKC')
    .replace(/[−–—﹣]/g, '-')
    .replace(/、/g, ',')
    .replace(/^\s*(?:坐标|位置|经纬度|point|geo)\s*:?/i, ' ')
    .replace(/[()[\]{}]/g, ' ')
    .replace(/\b([NSEW]):/gi, '$1 ')
    .toUpperCase()
    .trim()
}

const token = /\s*(?:(-|\+)?\s*(\d+(?:\.\d+)?|\.\d+)\s*([°\uE001\uE002])?|([EWNSXY])|([,;/|&。]|\n)|(:))/y

/** The numbers of a text with what stands around them; null when anything else is in it. */
function numbers(text: string): Num[] | null {
  const all: Num[] = []
  let mark: Mark | null = null
  let gap: Num['gap'] = 'none'
  let fresh = false // a separator came since the last number
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const m = token.exec(text)
    if (!m) return null
    const last = all.at(-1)
    if (m[2] !== undefined) {
      const unit = m[3] === '°' ? 0 : m[3] === '\uE001' ? 1 : m[3] === '\uE002' ? 2 : null
      all.push({ value: Number(m[2]), negative: m[1] === '-', fraction: m[2].includes('.'), unit, before: mark, after: null, gap })
      mark = null
      gap = 'none'
      fresh = false
    } else if (m[4]) {
      // A hemisphere belongs to the number before it, unless that has one, or a separator came between.
      const here = marks[m[4]]!
      if (here.sign !== null && last && !fresh && !last.after && !(all.some((n) => n.before))) last.after = here
      else if (mark) return null
      else mark = here
    } else if (m[5]) {
      if (fresh || !last) return null
      fresh = true
      gap = 'separator'
    } else {
      if (!last || gap !== 'none') return null
      gap = 'colon'
    }
  }
  return mark || gap === 'colon' ? null : all
}

/** Degrees of one to three numbers, and the axis that they say they are of; null when they are no angle. */
function angle(group: Num[]): Angle | null {
  if (group.length < 1 || group.length > 3) return null
  let degrees = 0
  for (const [i, n] of group.entries()) {
    const edge = i === group.length - 1
    if (n.unit !== null && n.unit !== i) return null
    if (i > 0 && (n.negative || n.before || n.gap === 'separator' || n.value >= 60)) return null
    if (!edge && (n.fraction || n.after)) return null
    degrees += n.value / 60 ** i
  }
  const first = group[0]!
  const { before } = first
  const { after } = group.at(-1)!
  if (before && after) return null
  const mark = before ?? after
  if (first.negative) {
    if (mark?.sign) return null
    degrees = -degrees
  }
  return { degrees: mark?.sign === -1 ? -degrees : degrees, axis: mark?.axis ?? null }
}

/** The partings of the numbers into two angles. Without a sign that parts them they are halved; angles of unlike length need their signs. */
function pairs(all: Num[]): [Angle, Angle][] {
  const out: [Angle, Angle][] = []
  for (let k = 1; k < all.length; k++) {
    const head = all[k]!
    const told = head.gap === 'separator' || head.unit === 0 || head.before !== null || all[k - 1]!.after !== null
    if (head.gap === 'colon' || (!told && k * 2 !== all.length)) continue
    const longer = k * 2 > all.length ? all.slice(0, k) : all.slice(k)
    if (k * 2 !== all.length && !longer.some((n) => n.unit !== null || n.gap === 'colon')) continue
    const a = angle(all.slice(0, k))
    const b = angle(all.slice(k))
    if (a && b) out.push([a, b])
  }
  return out
}

const inChina = ([lon, lat]: LonLat) => lon >= 73 && lon <= 136 && lat >= 3 && lat <= 54

/** The places that two angles can mean, in either order. */
function readings([a, b]: [Angle, Angle]): LonLat[] {
  const out: LonLat[] = []
  const fits = (x: Angle, y: Angle) =>
    x.axis !== 'lat' && y.axis !== 'lon' && Math.abs(x.degrees) <= 180 && Math.abs(y.degrees) <= 90
  if (fits(a, b)) out.push([a.degrees, b.degrees])
  if (fits(b, a)) out.push([b.degrees, a.degrees])
  return out
}

/** The same text with decimal commas: digits on both sides, and no full stop anywhere. */
function decimalCommas(text: string): string[] {
  return text.includes('.') ? [] : [text.replace(/(\d),(\d+)(?!\d)/g, '$1.$2')]
}

/**
 * Reads a text as a place. An empty array: it is none. Two places: it can be read in either order (both numbers are
 * below 90); what lies in China comes first.
 */
export function parsePlaces(text: string): LonLat[] {
  if (text.length > 120) return []
  const one = plain(text)
  const found: LonLat[] = []
  for (const form of new Set([one, ...decimalCommas(one)])) {
    for (const pair of pairs(numbers(form) ?? [])) {
      for (const place of readings(pair)) {
        if (!found.some((p) => p[0] === place[0] && p[1] === place[1])) found.push(place)
      }
    }
  }
  return found.sort((p, q) => Number(inChina(q)) - Number(inChina(p)))
}
