import { onMounted, ref, shallowRef } from 'vue'

/** A list that is fetched page by page, newest first, from the id of the last one on. */
export function usePages<T>(fetch: (query: { limit: number; before?: number }) => Promise<{ items: T[] | null }>, id: (item: T) => number, size = 50) {
  const items = shallowRef<T[] | null>(null)
  const error = shallowRef<unknown>(null)
  const busy = ref(false)
  const ended = ref(false)

  async function load(more = false) {
    busy.value = true
    try {
      const last = items.value?.at(-1)
      const page = (await fetch({ limit: size, before: more && last ? id(last) : undefined })).items ?? []
      items.value = more ? [...(items.value ?? []), ...page] : page
      ended.value = page.length < size
      error.value = null
    } catch (cause) {
      error.value = cause
    } finally {
      busy.value = false
    }
  }
  onMounted(() => load())
  return { items, error, busy, ended, load }
}
