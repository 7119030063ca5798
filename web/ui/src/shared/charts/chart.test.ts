import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { expect, test } from 'vitest'
import type { Flag, Sample } from './series'
import { flagKinds, withGaps } from './series'
import { chartOption, flagMarks, labelPlaces } from './chart'

use([SVGRenderer])

/** How many lines the series is drawn as. */
function lines(samples: Sample[]): number {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 583, height: 150 })
  chart.setOption(chartOption({
    theme: 'dark', samples, bands: [], extent: [0, 4], from: samples[0]![0], to: samples.at(-1)![0], name: '', symbol: 'm', format: String,
    compact: false, flags: [], say: () => '', height: 150, scale: 1,
  }))
  const paths = [...chart.renderToSVGString().matchAll(/<path d="([^"]+)"/g)].map((m) => m[1]!)
  chart.dispose()
  const longest = paths.reduce((a, b) => (b.length > a.length ? b : a))
  return longest.match(/M/g)!.length
}

test('a gap is a gap though there are more readings than pixels', () => {
  const minute = (n: number) => ({ t: new Date(Date.UTC(2026, 9, 28) + n * 60_000).toISOString(), v: 2 + Math.sin(n / 700), qc: 1 })
  const month = Array.from({ length: 1800 }, (_, i) => minute(i * 24))
  expect(lines(withGaps(month, 60, 1440))).toBe(1)
  expect(lines(withGaps(month.filter((_, i) => i < 1100 || i > 1160), 60, 1440))).toBe(2)
})

test('each kind of flag has a shape of its own, on the axis’ edge when it has no value', () => {
  const flags: Flag[] = flagKinds.map((kind, i) => ({ at: i, value: kind === 'missing' ? null : 99, kind }))
  const option = chartOption({
    theme: 'light', samples: [[0, 1], [9, 2]], bands: [], extent: [0, 4], from: 0, to: 9, name: '', symbol: 'm', format: String,
    compact: false, flags, say: () => '', height: 150, scale: 1,
  }) as { series: { name: string; data: { value: number[]; symbol: string }[] }[] }
  const drawn = option.series.find((s) => s.name === 'flags')!.data
  expect(new Set(drawn.map((d) => d.symbol)).size).toBe(flagKinds.length)
  expect(new Set(flagKinds.map((k) => flagMarks[k].sign)).size).toBe(flagKinds.length)
  expect(drawn.map((d) => d.value[1])).toEqual([4, 0, 4, 4, 4])
})

test('two readings are two points, also in a long line', () => {
  const option = (samples: Sample[]) => chartOption({
    theme: 'dark', samples, bands: [], extent: [0, 4], from: 0, to: 99, name: '', symbol: 'm', format: String,
    compact: false, flags: [], say: () => '', height: 150, scale: 1,
  }) as { series: { name: string; showSymbol?: boolean; data: Sample[] }[] }
  expect(option([[1, 1], [2, 2]]).series[0]!.showSymbol).toBe(true)
  expect(option([[1, 1], [1.5, null], [2, 2]]).series[0]!.showSymbol).toBe(true)
  const long: Sample[] = [...Array.from({ length: 30 }, (_, i): Sample => [i, 1]), [30, null], [60, 3], [61, null], [62, 1], [63, 1]]
  expect(option(long).series[0]!.showSymbol).toBe(false)
  expect(option(long).series.find((s) => s.name === 'lone')!.data).toEqual([[60, 3]])
})

test('threshold labels stand apart, and none is left out', () => {
  expect(labelPlaces([2, 3, 4, 5], 0.5)).toEqual(['insideStartTop', 'insideStartTop', 'insideStartTop', 'insideStartTop'])
  expect(labelPlaces([4.5, 4, 2], 1)).toEqual(['insideStartTop', 'insideMiddleTop', 'insideStartTop'])
  expect(labelPlaces([4, 4.1, 4.2, 4.3], 1)).toEqual(['insideStartBottom', 'insideEndTop', 'insideMiddleTop', 'insideStartTop'])
  // Of labels in one column none is nearer than apart to the next.
  let seed = 7
  const next = () => (seed = (seed * 48271) % 2147483647) / 2147483647
  for (let round = 0; round < 500; round++) {
    const at = Array.from({ length: 1 + Math.floor(next() * 4) }, () => next() * 10)
    const places = labelPlaces(at, 1.2)
    for (const [i, a] of at.entries()) {
      for (const [j, b] of at.entries()) {
        if (i < j && places[i] === places[j]) expect(Math.abs(a - b), JSON.stringify({ at, places })).toBeGreaterThanOrEqual(1.2)
      }
    }
    expect(places).toHaveLength(at.length)
  }
})
