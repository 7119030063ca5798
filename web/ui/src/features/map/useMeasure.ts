import type { FeatureCollection } from 'geojson'
import { computed, ref, watch } from 'vue'
import { distance } from '@/shared/geo/geo'
import { useUi } from '@/shared/workspace/ui'

/** Measuring along a line: clicks add points, a double click ends it. */
export function useMeasure(draw: (data: FeatureCollection) => void, drawing: (on: boolean) => void) {
  const ui = useUi()
  const points = ref<[number, number][]>([])
  const done = ref(false)

  function redraw() {
    const line = points.value
    draw({
      type: 'FeatureCollection',
      features: [
        ...line.map((coordinates) => ({ type: 'Feature' as const, geometry: { type: 'Point' as const, coordinates }, properties: {} })),
        ...(line.length > 1
          ? [{ type: 'Feature' as const, geometry: { type: 'LineString' as const, coordinates: line }, properties: {} }]
          : []),
      ],
    })
  }

  function add(at: [number, number], double: boolean) {
    if (double) {
      done.value = true
      return
    }
    if (done.value) {
      points.value = []
      done.value = false
    }
    points.value = [...points.value, at]
    redraw()
  }

  function reset() {
    points.value = []
    done.value = false
    redraw()
  }
  watch(() => ui.measuring, (on) => {
    drawing(on)
    reset()
  })

  const length = computed(() => {
    let metres = 0
    for (let i = 1; i < points.value.length; i++) metres += distance(points.value[i - 1]!, points.value[i]!)
    return metres ? (metres / 1000).toFixed(metres < 10_000 ? 2 : 1) : ''
  })
  return { add, redraw, length, active: computed(() => ui.measuring) }
}
