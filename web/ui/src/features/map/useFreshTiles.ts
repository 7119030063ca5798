import { useTimeoutFn } from '@vueuse/core'
import { onBeforeUnmount, type ShallowRef } from 'vue'
import type { MapController } from './engine/controller'
import { useLayers } from '@/features/layers/layers'
import { useLive } from '@/shared/live/live'

const catalogueMs = 2000 // counts and times in the layer tree may be so old

/** Keeps a map's tiles, and the catalogue beside it, as the server has them. */
export function useFreshTiles(controller: ShallowRef<MapController | null>): void {
  const layers = useLayers()
  const live = useLive()
  const { start, stop: cancel, isPending } = useTimeoutFn(reload, catalogueMs, { immediate: false })

  function reload() {
    cancel()
    layers.load().catch(() => reloadSoon()) // what failed is in the store, and shown by the layer panel
  }
  function reloadSoon() {
    if (!isPending.value) start()
  }

  const stops = [
    live.on('tiles', (frame) => {
      controller.value?.tiles.notice(frame)
      reloadSoon()
    }),
    live.on('welcome', () => {
      controller.value?.tiles.doubt()
      reloadSoon()
    }),
    live.onEvent('layer.changed', reload),
  ]
  onBeforeUnmount(() => stops.forEach((stop) => stop()))
}
