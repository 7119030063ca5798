import { createPinia } from 'pinia'
import { createApp } from 'vue'
import '@fontsource/noto-sans-sc/400.css'
import 'element-plus/dist/index.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './theme/base.css'
import './theme/controls.css'
import App from './App.vue'
import { onUnauthorized } from './api/client'
import { i18n } from './i18n'
import { router } from './router'
import { usePrefs } from './stores/prefs'
import { useSession } from './stores/session'

const app = createApp(App)
app.use(createPinia()).use(i18n)
usePrefs() // the theme and the language are on the page before anything is drawn
app.use(router)
onUnauthorized(() => {
  useSession().forget()
  const here = router.currentRoute.value
  if (!here.meta.open) void router.replace({ name: 'login', query: { next: here.fullPath } })
})
app.mount('#app')
