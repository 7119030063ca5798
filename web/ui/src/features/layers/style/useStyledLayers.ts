import { onMounted, ref } from 'vue'
import * as api from '@/shared/api/endpoints'

/** The names of the layers that have a style of their own, as of the last look. */
export function useStyledLayers() {
  const styled = ref<ReadonlySet<string>>(new Set())
  async function look() {
    const list = await api.layers().catch(() => null) // the list of the page says that the server is away
    if (list) styled.value = new Set((list.items ?? []).filter((l) => l.style).map((l) => l.name))
  }
  onMounted(look)
  return { styled, look }
}
