import { expect, test } from 'vitest'
import type { LonLat } from '@/shared/geo/geo'
import { parsePlaces } from './coordinates'

const near = (a: LonLat, b: LonLat, within: number) => Math.abs(a[0] - b[0]) <= within && Math.abs(a[1] - b[1]) <= within

test('one place, as people write it', () => {
  for (const text of [
    '121.39,37.54', '37.54,121.39', '121.39 37.54', '37.54 121.39', '121.39，37.54', ' 121.39° E, 37.54° N ', '121.39/37.54', '121.39；37.54',
    '１２１．３９，３７．５４', '１２１．３９　３７．５４', '东经121.39度，北纬37.54度', '北纬37.54 东经121.39', 'N37.54 E121.39', '37.54N 121.39E', 'E121.39,N37.54',
    '121,39 37,54', '37,54; 121,39', '37,54,121,39', '经度：121.39 纬度：37.54', '纬度37.54，经度121.39', 'lon=121.39&lat=37.54', 'lat: 37.54, lng: 121.39',
    '{"lon":121.39,"lat":37.54}', '(121.39, 37.54)', '[121.39,37.54]', 'POINT(121.39 37.54)', 'geo:37.54,121.39', '坐标：121.39、37.54',
    '121°23′24″E 37°32′24″N', '37°32\'24"N, 121°23\'24"E', '121°23’24”E，37°32’24”N', "37°32'24''N 121°23'24''E", '东经121度23分24秒，北纬37度32分24秒',
    'N37°32.4′ E121°23.4′', '37 32 24 121 23 24', '37 32 24 N 121 23 24 E', '37:32:24 121:23:24', '121:23:24, 37:32:24', '37º32.4\' 121º23.4\'',
    'E121°23′24″ N37°32′24″', '121°23′24″ 37°32′24″', '121度23.4分 37度32.4分', '37°32′24″北纬 121°23′24″东经'.replace(/北纬|东经/g, (w) => (w === '北纬' ? 'N' : 'E')),
    '121.39E 37.54', '37.54 121.39E', 'E 121.39 37.54', '37.54n121.39e',
  ]) {
    const found = parsePlaces(text)
    expect(found, text).toHaveLength(1)
    expect(near(found[0]!, [121.39, 37.54], 1e-9), `${text}: ${String(found)}`).toBe(true)
  }
})

test('what is no place is none', () => {
  for (const text of [
    '', '121.39', '370602', 'a,b', '200,37', '121,95', '1 2 3', '#58', '烟台', 'yt-370602-wl-0001', '121.39,37.54,5', '121°61′E 37°32′N', '121.5°30′E 37°32′N',
    'N37 N38', 'E121 E37', '-121.39E 37.54N', '1e5 3', '2026-11-28', '03:12', '12:30:45', '121.39 37.54 x', '37.54,', ',,', '3号 5号', '121.39E37.54N9',
  ]) {
    expect(parsePlaces(text), text).toEqual([])
  }
})

test('what can be read in two ways offers both, the one in China first', () => {
  expect(parsePlaces('40.2,80.1')).toEqual([[80.1, 40.2], [40.2, 80.1]])
  expect(parsePlaces('80.1 40.2')).toEqual([[80.1, 40.2], [40.2, 80.1]])
  expect(parsePlaces('10,20')).toEqual([[10, 20], [20, 10]])
  expect(parsePlaces('40.2N,80.1')).toEqual([[80.1, 40.2]]) // said
  expect(parsePlaces('-121.39,37.54')).toEqual([[-121.39, 37.54]])
  expect(parsePlaces('121.39W 37.54S')).toEqual([[-121.39, -37.54]])
})

/** Any place of China, in any of the supported ways. mulberry32: the same cases every time. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Write = (degrees: number) => string
function dms(degrees: number): [number, number, string] {
  const tenths = Math.round(degrees * 36000)
  return [Math.floor(tenths / 36000), Math.floor((tenths % 36000) / 600), ((tenths % 600) / 10).toFixed(1)]
}
const writes: Record<string, Write> = {
  decimal: (x) => x.toFixed(5),
  degree: (x) => `${x.toFixed(5)}°`,
  chinese: (x) => `${x.toFixed(5)}度`,
  signs: (x) => { const [d, m, s] = dms(x); return `${d}°${m}′${s}″` },
  quotes: (x) => { const [d, m, s] = dms(x); return `${d}° ${m}' ${s}"` },
  words: (x) => { const [d, m, s] = dms(x); return `${d}度${m}分${s}秒` },
  minutes: (x) => { const m = Math.round((x % 1) * 6e5) / 1e4; return m >= 60 ? `${Math.floor(x) + 1}°0′` : `${Math.floor(x)}°${m.toFixed(4)}′` },
  colons: (x) => dms(x).join(':'),
  spaces: (x) => dms(x).join(' '),
}
type Dress = (text: string, axis: 'lon' | 'lat') => string
const dresses: Record<string, Dress> = {
  bare: (s) => s,
  suffix: (s, a) => `${s}${a === 'lon' ? 'E' : 'N'}`,
  prefix: (s, a) => `${a === 'lon' ? 'E' : 'N'}${s}`,
  chinese: (s, a) => `${a === 'lon' ? '东经' : '北纬'}${s}`,
  label: (s, a) => `${a === 'lon' ? '经度：' : '纬度：'}${s}`,
}
const wide = (s: string) => s.replace(/[0-9.,]/g, (c) => String.fromCodePoint(c.codePointAt(0)! + 0xfee0))

test('any place of China in any supported form is found, in either order', () => {
  const next = random(20261128)
  for (let round = 0; round < 20; round++) {
    const place: LonLat = [73 + next() * 62, 4 + next() * 49]
    for (const [w, write] of Object.entries(writes)) {
      for (const [d, dress] of Object.entries(dresses)) {
        for (const gap of [',', ', ', ' ', '，', ';', '；', '  ']) {
          for (const turned of [false, true]) {
            for (const full of [false, true]) {
              const parts = [dress(write(place[0]), 'lon'), dress(write(place[1]), 'lat')]
              if (turned) parts.reverse()
              const text = full ? wide(parts.join(gap)) : parts.join(gap)
              const found = parsePlaces(text)
              if (!found[0] || !near(found[0], place, 2e-5)) expect.fail(`${w} ${d} ${JSON.stringify(text)}: ${JSON.stringify(found)}, want ${String(place)}`)
            }
          }
        }
      }
    }
  }
}, 300_000)

test('decimal commas are read where they can be nothing else', () => {
  const next = random(7)
  for (let round = 0; round < 500; round++) {
    const place: LonLat = [73 + next() * 62, 4 + next() * 49]
    const [lon, lat] = place.map((x) => x.toFixed(4).replace('.', ',')) as [string, string]
    for (const text of [`${lon} ${lat}`, `${lat}; ${lon}`, `${lat}, ${lon}`, `${lon}E ${lat}N`, `${lon}°; ${lat}°`]) {
      const found = parsePlaces(text)
      expect(found[0] && near(found[0], place, 1e-4), `${text}: ${String(found)}`).toBe(true)
    }
  }
})

test('no text makes it fail or takes it long', () => {
  const next = random(99)
  const alphabet = '0123456789.,-;:°′″"\'度分秒NSEW东经北纬 经度lat()[]/、，　xX\u0000'
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: Math.floor(next() * 40) }, () => alphabet[Math.floor(next() * alphabet.length)]).join('')
    for (const [lon, lat] of parsePlaces(text)) {
      if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) expect.fail(text)
    }
  }
})
