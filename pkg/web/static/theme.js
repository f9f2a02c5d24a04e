// Applies the stored theme before the first paint, so that a dark page never flashes white. This is
// a plain script in the head: modules run too late for that.
document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
