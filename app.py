"The app: `streamlit run app.py`. All of it comes from nbs/12_app.ipynb."

from meddiff.app import main

main()
