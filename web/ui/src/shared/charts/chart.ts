// ECharts with only the parts in use, on a canvas, with tooltips drawn on it too: HTML tooltips carry
// inline styles, which the page's policy forbids.

import { LineChart, ScatterChart } from 'echarts/charts'
import { GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from 'echarts/components'
import { connect, init, use, type EChartsType } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import type { EChartsCoreOption } from 'echarts/core'
import { axisTime, exactTime } from '@/shared/format/format'
import type { Band, Flag, FlagKind, Sample } from './series'
import { fontFamily, roman, tokens, type ThemeName } from '@/shared/theme/tokens'

use([LineChart, ScatterChart, GridComponent, TooltipComponent, MarkAreaComponent, MarkLineComponent, CanvasRenderer])

export type Chart = EChartsType

/** Makes a chart; those of one group share their cursor. */
export function makeChart(host: HTMLElement, group?: string): Chart {
  const chart = init(host, undefined, { renderer: 'canvas' })
  if (group) {
    chart.group = group
    connect(group)
  }
  return chart
}

export interface ChartInput {
  theme: ThemeName
  samples: Sample[]
  bands: Band[]
  extent: [number, number]
  /** Milliseconds since the epoch. */
  from: number
  to: number
  name: string
  symbol: string
  format: (value: number) => string
  compact: boolean
  flags: Flag[]
  /** What a flag says, in words. */
  say: (flag: Flag) => string
  /** CSS pixels of the whole chart, to keep labels off each other. */
  height: number
  /** How much larger than on a desk. */
  scale: number
}

export type LabelPlace = 'insideStartTop' | 'insideMiddleTop' | 'insideEndTop' | 'insideStartBottom'
const columns = ['insideStartTop', 'insideMiddleTop', 'insideEndTop'] as const

/**
 * Where the label of each line stands, so that none covers another: above its line, in the first of three columns whose
 * next label above is at least apart (in the values' unit) away, else below its line. The result is in the order of at.
 */
export function labelPlaces(at: number[], apart: number): LabelPlace[] {
  const lowest = columns.map(() => Infinity)
  const places: LabelPlace[] = []
  for (const i of at.map((_, i) => i).sort((a, b) => at[b]! - at[a]!)) {
    const column = lowest.findIndex((v) => v - at[i]! >= apart)
    places[i] = columns[column] ?? 'insideStartBottom'
    lowest[Math.max(column, 0)] = at[i]!
  }
  return places
}

/** Readings without a neighbour to be joined to: they are drawn as points, or a line would hide them. */
function lone(samples: Sample[]): Sample[] {
  const empty = (s: Sample | undefined) => !s || s[1] === null
  return samples.filter((s, i) => s[1] !== null && empty(samples[i - 1]) && empty(samples[i + 1]))
}

function marks(input: ChartInput) {
  const t = tokens[input.theme]
  const k = input.scale
  const [low, high] = input.extent
  const seen = input.bands.filter((b) => b.to > low && b.from < high)
  const edges = seen
    .map((b) => ({ level: b.level, at: Number.isFinite(b.from) && b.from > low ? b.from : b.to }))
    .filter((e) => e.at > low && e.at < high)
  const apart = (11 * (high - low)) / Math.max(input.height - 34, 20) // value units under a label's height
  const places = labelPlaces(edges.map((e) => e.at), apart)
  return {
    markArea: {
      silent: true,
      data: seen.map((b) => [
        { yAxis: Math.max(b.from, low), itemStyle: { color: t.levels[b.level], opacity: 0.13 } },
        { yAxis: Math.min(b.to, high) },
      ]),
    },
    markLine: {
      silent: true,
      symbol: 'none',
      animation: false,
      data: edges.map((e, i) => ({
        yAxis: e.at,
        lineStyle: { color: t.levels[e.level], width: 1, type: 'dashed', opacity: 0.8 },
        label: { show: true, formatter: `${roman[e.level]} ${input.format(e.at)}`, position: places[i], color: t.levels[e.level], fontSize: 10 * k, distance: 1 },
      })),
    },
  }
}

/** How a flag is told from the others: by its shape, and by the same sign in the legend. */
export const flagMarks: Record<FlagKind, { symbol: string; sign: string; level: 1 | 2 }> = {
  bad: { symbol: 'path://M0 2 2 0 5 3 8 0 10 2 7 5 10 8 8 10 5 7 2 10 0 8 3 5Z', sign: '×', level: 1 },
  missing: { symbol: 'circle', sign: '○', level: 2 },
  suspect: { symbol: 'diamond', sign: '◆', level: 2 },
  ahead: { symbol: 'triangle', sign: '▲', level: 2 },
  conflict: { symbol: 'rect', sign: '■', level: 2 },
}

function flagPoint(flag: Flag, input: ChartInput) {
  const t = tokens[input.theme]
  const { symbol, level } = flagMarks[flag.kind]
  const [low, high] = input.extent
  const hollow = flag.kind === 'missing'
  return {
    // What lies beyond the axis, or has no value, is marked at its edge; the words say more.
    value: [flag.at, Math.min(Math.max(flag.value ?? low, low), high)],
    flag,
    symbol,
    itemStyle: { color: hollow ? t.panelSolid : t.levels[level], borderColor: hollow ? t.levels[level] : t.panelSolid, borderWidth: hollow ? 2 * input.scale : 1 },
  }
}

/** The option of one stream's chart. A pure function: what is drawn is what it is given. */
export function chartOption(input: ChartInput): EChartsCoreOption {
  const t = tokens[input.theme]
  const k = input.scale
  const few = input.samples.filter((s) => s[1] !== null).length <= 12
  return {
    animation: false,
    textStyle: { fontFamily, color: t.muted },
    grid: { left: 6 * k, right: 10 * k, top: (input.compact ? 8 : 12) * k, bottom: 2 * k, containLabel: true },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      backgroundColor: t.panelSolid,
      borderColor: t.line,
      textStyle: { color: t.text, fontSize: 12 * k, fontFamily },
      axisPointer: { type: 'line', lineStyle: { color: t.muted } },
      formatter: (params: { value: Sample; data: Sample | { flag: Flag } }[]) => {
        const [at, value] = params[0]?.value ?? [0, null]
        const said = params.flatMap((p) => ('flag' in p.data ? [input.say(p.data.flag)] : []))
        const line = params.some((p) => !('flag' in p.data)) ? [`${input.name} ${value === null ? '–' : input.format(value)}`] : []
        return [exactTime(at), ...line, ...said].join('\n')
      },
    },
    xAxis: {
      type: 'time',
      min: input.from,
      max: input.to,
      axisLine: { lineStyle: { color: t.line } },
      axisLabel: { color: t.muted, fontSize: 10 * k, margin: 8 * k, hideOverlap: true, formatter: (v: number) => axisTime(v, input.to - input.from) },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      min: input.extent[0],
      max: input.extent[1],
      splitNumber: 3,
      axisLabel: { color: t.muted, fontSize: 10 * k, margin: 8 * k, showMinLabel: false, showMaxLabel: false, formatter: (v: number) => `${+v.toPrecision(4)}` },
      splitLine: { lineStyle: { color: t.line, opacity: 0.6 } },
    },
    series: [
      {
        type: 'line',
        name: input.name,
        data: input.samples,
        showSymbol: few, // two readings are two points, not a stroke
        symbol: 'circle',
        symbolSize: 5 * k,
        connectNulls: false,
        lineStyle: { color: t.accent, width: 1.6 * k },
        itemStyle: { color: t.accent },
        ...marks(input),
      },
      {
        type: 'scatter',
        name: 'lone',
        silent: true,
        symbolSize: 4 * k,
        itemStyle: { color: t.accent },
        data: few ? [] : lone(input.samples),
      },
      {
        type: 'scatter',
        name: 'flags',
        symbolSize: 9 * k,
        z: 4,
        data: input.flags.filter((f) => f.at >= input.from && f.at <= input.to).map((flag) => flagPoint(flag, input)),
      },
    ],
  }
}
