//! What a release hands out: installed where nothing else of the project is, by the tools of those who install it.

mod a_deb_is_installed;
mod a_tarball_is_installed;
mod elsewhere; // a PostgreSQL without the extension, and a root for dpkg
mod smoke; // what an installed extension must do
mod the_image_is_of_what_is_tested;
mod versions_agree;
