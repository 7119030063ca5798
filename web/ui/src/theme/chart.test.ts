import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { expect, test } from 'vitest'
import type { Sample } from '../lib/series'
import { withGaps } from '../lib/series'
import { chartOption } from './chart'

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
