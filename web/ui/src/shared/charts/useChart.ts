import { useResizeObserver } from '@vueuse/core'
import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue'
import { makeChart, type Chart } from './chart'

/**
 * A chart in its host, as wide as it and so many pixels high. Where the page is enlarged by CSS zoom
 * (a wall), the canvas is not: it would be blurred, and the pointer misread. It is drawn larger instead.
 */
export function useChart(host: Ref<HTMLElement | undefined>, height: () => number, draw: (chart: Chart, scale: number) => void, group?: () => string | undefined) {
  const scale = ref(1)
  let chart: Chart | null = null

  function fit() {
    const el = host.value
    if (!el || !chart) return
    const zoom = el.parentElement?.currentCSSZoom ?? 1
    scale.value = zoom
    el.style.setProperty('zoom', String(1 / zoom))
    el.style.height = `${height() * zoom}px`
    chart.resize()
  }
  function redraw() {
    if (chart) draw(chart, scale.value)
  }
  onMounted(() => {
    if (!host.value) return
    chart = makeChart(host.value, group?.())
    fit()
    redraw()
  })
  useResizeObserver(() => host.value?.parentElement ?? host.value, () => {
    const before = scale.value
    fit()
    if (scale.value !== before) redraw()
  })
  onBeforeUnmount(() => {
    chart?.dispose()
    chart = null
  })
  return { redraw, fit }
}
