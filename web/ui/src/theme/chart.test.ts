import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { expect, test } from 'vitest'
import type { Flag, Sample } from '../lib/series'
import { flagKinds, withGaps } from '../lib/series'
import { chartOption, flagMarks } from './chart'

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
