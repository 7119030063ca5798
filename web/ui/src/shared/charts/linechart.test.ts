import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { expect, test } from 'vitest'
import type { Sample } from './series'
import './chart'
import { lineChartOption } from './linechart'

use([SVGRenderer])

function drawn(samples: Sample[]) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 400, height: 150 })
  chart.setOption(lineChartOption({ theme: 'dark', lines: [{ name: 'p99', samples }], from: 0, to: 10_000, max: 100, format: String, tick: String, scale: 1 }))
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
// A circle is a path of two arcs.
const points = (svg: string) => [...svg.matchAll(/<path d="M[^"]*A[^"]*"/g)].length

test('a sample between gaps is seen as a point, a line has none', () => {
  expect(points(drawn([[1000, null], [2000, 67], [3000, null]]))).toBe(1)
  expect(points(drawn([[2000, 67]]))).toBe(1)
  expect(points(drawn([[1000, 5], [2000, 67], [3000, 6], [4000, null], [5000, 8]]))).toBe(1)
  expect(points(drawn([[1000, 5], [2000, 67], [3000, null]]))).toBe(0)
})
