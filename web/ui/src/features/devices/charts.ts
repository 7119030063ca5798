import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'

/** Where a chart may stand, the best place first: a chart is drawn once, in the best one. */
export const chartPlaces = ['drawer', 'alert', 'device'] as const
export type ChartPlace = (typeof chartPlaces)[number]

/** Which charts are on the page, so that none is there twice. A key is what a chart shows: stream and time range. */
export const useCharts = defineStore('charts', () => {
  const wanted = shallowReactive(new Map<string, ChartPlace[]>())

  function add(key: string, place: ChartPlace) {
    wanted.set(key, [...(wanted.get(key) ?? []), place])
  }
  function remove(key: string, place: ChartPlace) {
    const left = [...(wanted.get(key) ?? [])]
    const at = left.indexOf(place)
    if (at >= 0) left.splice(at, 1)
    if (left.length) wanted.set(key, left)
    else wanted.delete(key)
  }
  /** The place that draws it. */
  const drawnAt = (key: string): ChartPlace | undefined => chartPlaces.find((p) => wanted.get(key)?.includes(p))
  return { add, remove, drawnAt }
})
