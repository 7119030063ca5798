import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { t, tx } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'

/** What is written on the printed sheet. */
export const useSheet = defineStore('sheet', () => {
  const session = useSession()
  /** As typed; empty: the usual one. */
  const title = ref('')
  const author = ref('')
  const usualTitle = computed(() => t('command.title', { city: tx(session.me?.city.name) }))
  const usualAuthor = computed(() => session.me?.name ?? '')
  return {
    title,
    author,
    usualTitle,
    usualAuthor,
    writtenTitle: computed(() => title.value.trim() || usualTitle.value),
    writtenAuthor: computed(() => author.value.trim() || usualAuthor.value),
  }
})
