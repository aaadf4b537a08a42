// Before anything is painted: the chosen theme. No module, which would come too late.
try {
  const theme = localStorage.getItem("audiolift.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing for this site: the system's theme.
}
document.documentElement.dataset.js = "";
