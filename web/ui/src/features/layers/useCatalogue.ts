import { useTimeoutFn } from '@vueuse/core'
import { onMounted, ref } from 'vue'
import { useSession } from '@/shared/session/session'
import { useLayers } from './layers'

const retryMs = 4000

/** Loads the session and the catalogue; `ready`: both are there, so that a map can open. Until the server is, it is asked again. */
export function useCatalogue() {
  const session = useSession()
  const layers = useLayers()
  const ready = ref(false)
  const { start: retry } = useTimeoutFn(open, retryMs, { immediate: false })
  async function open() {
    try {
      if (!session.me) await session.load(true)
      await layers.load()
      ready.value = true
    } catch {
      retry()
    }
  }
  onMounted(open)
  return { ready, open }
}
