// Several lines over one time axis: what the ingest page draws.

import type { EChartsCoreOption } from 'echarts/core'
import { axisTime, clockTime } from '@/shared/format/format'
import type { Sample } from './series'
import { fontFamily, tokens, type ThemeName } from '@/shared/theme/tokens'

/** How a line is told from the others: never by colour alone. */
export interface LineStyle {
  colour: string
  dash: 'solid' | 'dashed' | 'dotted'
  width: number
}

/** The styles of a chart's lines, in their order. */
export function lineStyles(theme: ThemeName, count: number): LineStyle[] {
  const t = tokens[theme]
  const all: LineStyle[] =
    count <= 3
      ? [
          { colour: t.accent, dash: 'solid', width: 2 },
          { colour: t.ok, dash: 'dashed', width: 2 },
          { colour: t.levels[3], dash: 'dotted', width: 2 },
        ]
      : [
          { colour: t.muted, dash: 'solid', width: 1.6 },
          { colour: t.accent, dash: 'dotted', width: 2 },
          { colour: t.text, dash: 'dashed', width: 1.6 },
          { colour: t.levels[3], dash: 'dashed', width: 2 },
          { colour: t.levels[2], dash: 'solid', width: 2 },
          { colour: t.levels[1], dash: 'solid', width: 2.6 },
        ]
  return all.slice(0, count)
}

export interface LineChartInput {
  theme: ThemeName
  lines: { name: string; samples: Sample[] }[]
  from: number
  to: number
  max: number
  format: (value: number) => string
  /** For the axis, shorter. */
  tick: (value: number) => string
  /** How much larger than on a desk: type and lines grow with it. */
  scale: number
}

interface Hovered {
  seriesName: string
  value: Sample
}

/** A sample without a neighbour is no line: it is a point, or it would not be seen. */
function withPoints(samples: Sample[], k: number) {
  const seen = (s: Sample | undefined) => s !== undefined && s[1] !== null
  return samples.map((s, i) => (seen(s) && !seen(samples[i - 1]) && !seen(samples[i + 1]) ? { value: s, symbol: 'circle', symbolSize: 5 * k } : s))
}

/** The option of one chart. A pure function. */
export function lineChartOption(input: LineChartInput): EChartsCoreOption {
  const t = tokens[input.theme]
  const k = input.scale
  const styles = lineStyles(input.theme, input.lines.length)
  return {
    animation: false,
    textStyle: { fontFamily, color: t.muted },
    grid: { left: 4 * k, right: 14 * k, top: 10 * k, bottom: 2 * k, containLabel: true },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      backgroundColor: t.panelSolid,
      borderColor: t.line,
      textStyle: { color: t.text, fontSize: 12 * k, lineHeight: 17 * k, fontFamily },
      axisPointer: { type: 'line', lineStyle: { color: t.muted } },
      formatter: (params: Hovered[]) => {
        const at = params[0]?.value[0] ?? 0
        const words = params.map((p) => `${p.seriesName} ${p.value[1] === null ? '–' : input.format(p.value[1])}`)
        const rows = words.length <= 3 ? words : words.flatMap((w, i) => (i % 2 ? [] : [[w, words[i + 1]].filter(Boolean).join('   ')]))
        return [clockTime(at), ...rows].join('\n')
      },
    },
    xAxis: {
      type: 'time',
      min: input.from,
      max: input.to,
      axisLine: { lineStyle: { color: t.line } },
      axisLabel: { color: t.muted, fontSize: 11 * k, margin: 8 * k, hideOverlap: true, formatter: (v: number) => axisTime(v) },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      min: 0,
      max: input.max,
      interval: input.max / 2,
      axisLabel: { color: t.muted, fontSize: 11 * k, margin: 8 * k, formatter: (v: number) => input.tick(v) },
      splitLine: { lineStyle: { color: t.line, opacity: 0.6 } },
    },
    series: input.lines.map((line, i) => ({
      type: 'line',
      name: line.name,
      data: withPoints(line.samples, k),
      symbol: 'none',
      connectNulls: false,
      lineStyle: { color: styles[i]!.colour, width: styles[i]!.width * k, type: styles[i]!.dash },
      itemStyle: { color: styles[i]!.colour },
    })),
  }
}
